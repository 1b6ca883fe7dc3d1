import type { RecordedEvent, RecordedHistory } from './files';

interface Named {
  name?: string;
}
/** Attributes of the events that are looked at. */
interface Attributes {
  activityType?: Named;
  signalName?: string;
  acceptedRequest?: { input?: Named };
  markerName?: string;
  details?: Record<string, { payloads?: { data?: string }[] }>;
}

/** An event's attributes, whatever its type. */
const attributesOf = (event: RecordedEvent): Attributes => (Object.entries(event).find(([key]) => key.endsWith('EventAttributes'))?.[1] ?? {}) as Attributes;

/**
 * What occurs in a history: types of events as `TIMER_FIRED`; activities that were scheduled, signals and updates that were received, by name;
 * signals that were sent as `tells jobFinished`; patches as `patch probe-delay`.
 */
export function traitsOf({ history: { events } }: RecordedHistory): Set<string> {
  const traits = new Set<string>();
  for (const event of events) {
    const type = event.eventType.replace('EVENT_TYPE_', '');
    const { activityType, signalName, acceptedRequest, markerName, details } = attributesOf(event);
    traits.add(type);
    if (type === 'ACTIVITY_TASK_SCHEDULED') traits.add(activityType!.name!);
    if (type === 'WORKFLOW_EXECUTION_SIGNALED') traits.add(signalName!);
    if (type === 'SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED') traits.add(`tells ${signalName}`);
    if (type === 'WORKFLOW_EXECUTION_UPDATE_ACCEPTED') traits.add(acceptedRequest!.input!.name!);
    if (markerName === 'core_patch') traits.add(`patch ${patchOf(details!)}`);
  }
  return traits;
}

function patchOf(details: NonNullable<Attributes['details']>): string {
  const [payload] = details['patch-data']?.payloads ?? [];
  return (JSON.parse(Buffer.from(payload!.data!, 'base64').toString()) as { id: string }).id;
}
