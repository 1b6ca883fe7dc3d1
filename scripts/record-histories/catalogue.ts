import { clockKinds } from './clock-kinds';
import { endKinds } from './end-kinds';
import { failureKinds } from './failure-kinds';
import { gateKinds } from './gate-kinds';
import type { Kind } from './kind';
import { longKinds } from './long-kinds';
import { plainKinds } from './plain-kinds';

/** Every kind of batch and job of which a history is kept; a change to the workflows adds the kind that it makes possible. */
export const catalogue: Kind[] = [...plainKinds, ...failureKinds, ...gateKinds, ...endKinds, ...clockKinds, ...longKinds];
