import { inspect } from 'node:util';

const shown = '[secret]';

/** A value that never shows itself: printing, inspecting or serialising it gives `[secret]`. */
export class Secret<T = string> {
  readonly #value: T;

  constructor(value: T) {
    this.#value = value;
  }

  /** The value itself; hand it to the one place that needs it, never to a message. */
  reveal(): T {
    return this.#value;
  }

  toString(): string {
    return shown;
  }

  toJSON(): string {
    return shown;
  }

  [inspect.custom](): string {
    return shown;
  }
}
