/** A schedule of the namespace has this id already, ours or another program's. Nothing was created. */
export class ScheduleIdInUseError extends Error {
  override readonly name = 'ScheduleIdInUseError';
  constructor(readonly scheduleId: string) {
    super(`a schedule with id ${scheduleId} exists already`);
  }
}

/** Temporal knows no schedule of this id that starts batches. Nothing was changed. */
export class ScheduleNotFoundError extends Error {
  override readonly name = 'ScheduleNotFoundError';
  constructor(readonly scheduleId: string) {
    super(`Temporal knows no schedule ${scheduleId} of batches`);
  }
}
