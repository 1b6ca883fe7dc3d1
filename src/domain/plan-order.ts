const radix = 1 << 11;

/**
 * The positions of `keys`, largest key first; equal keys keep their order. Keys lie between 0 and 1 and are compared to
 * 31 binary digits. A radix sort: sorting a million positions with a comparison function takes seconds.
 */
export function descending(keys: Float64Array): Uint32Array {
  const digits = Uint32Array.from(keys, (key) => Math.round((1 - key) * 0x7fffffff));
  let order = Uint32Array.from(keys, (_, position) => position);
  let sorted = new Uint32Array(keys.length);
  for (const shift of [0, 11, 22]) {
    sortByDigit(order, sorted, digits, shift);
    [order, sorted] = [sorted, order];
  }
  return order;
}

function sortByDigit(order: Uint32Array, sorted: Uint32Array, digits: Uint32Array, shift: number): void {
  const starts = new Uint32Array(radix + 1);
  for (const digit of digits) starts[((digit >>> shift) & (radix - 1)) + 1]! += 1;
  for (let digit = 1; digit <= radix; digit += 1) starts[digit]! += starts[digit - 1]!;
  for (const position of order) {
    const digit = (digits[position]! >>> shift) & (radix - 1);
    sorted[starts[digit]!++] = position;
  }
}

/** The positions of `groups`, lowest group first; within a group they keep their order. Groups are numbered without large gaps. */
export function grouped(groups: Uint32Array): Uint32Array {
  const largest = groups.reduce((most, group) => Math.max(most, group), 0);
  const starts = new Uint32Array(largest + 2);
  for (const group of groups) starts[group + 1]! += 1;
  for (let group = 1; group < starts.length; group += 1) starts[group]! += starts[group - 1]!;
  const order = new Uint32Array(groups.length);
  groups.forEach((group, position) => {
    order[starts[group]!++] = position;
  });
  return order;
}
