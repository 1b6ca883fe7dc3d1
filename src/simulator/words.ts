const words = (
  'verify all dimensions on site before fabrication provide continuous vapour barrier under slab typical unless noted refer to structural ' +
  'drawings for reinforcing of grade beam and pier cap contractor shall coordinate openings with mechanical plans fire rated partition ' +
  'extends to underside of deck align finish face with existing masonry install flashing at all penetrations concrete strength at 28 days ' +
  'see door schedule for hardware set seal joints with approved compound maintain clear width of corridor slope to drain'
).split(' ');

/** Numbers that follow from a seed: the same ones every time. */
export class Dice {
  #state: number;

  constructor(seed: string) {
    let hash = 2166136261;
    for (let at = 0; at < seed.length; at++) hash = Math.imul(hash ^ seed.charCodeAt(at), 16777619);
    this.#state = hash >>> 0;
  }

  /** An integer from 0 to below the bound. */
  below(bound: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  }

  /** One of several. */
  of<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)]!;
  }

  /** A sentence as a drawing's note has it. */
  sentence(): string {
    const text = Array.from({ length: 6 + this.below(18) }, () => this.of(words)).join(' ');
    return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
  }
}
