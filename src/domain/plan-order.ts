const radix = 1 << 11;

/**
 * The positions of `keys`, largest key first; equal keys keep their order. Keys lie between 0 and 1 and are compared to
 * 31 binary digits. A radix sort: sorting a million positions with a comparison function takes seconds.
 */
export function descending(keys: Float64Array): Uint32Array {
  const digits = new Uint32Array(keys.length);
  let order = new Uint32Array(keys.length);
  for (let position = 0; position < keys.length; position += 1) {
    digits[position] = Math.round((1 - keys[position]!) * 0x7fffffff);
    order[position] = position;
  }
  let sorted = new Uint32Array(keys.length);
  for (const shift of [0, 11, 22]) {
    sortByDigit(order, sorted, digits, shift);
    [order, sorted] = [sorted, order];
  }
  return order;
}

function sortByDigit(order: Uint32Array, sorted: Uint32Array, digits: Uint32Array, shift: number): void {
  const starts = new Uint32Array(radix + 1);
  for (let at = 0; at < digits.length; at += 1) starts[((digits[at]! >>> shift) & (radix - 1)) + 1]! += 1;
  sumUp(starts);
  for (let at = 0; at < order.length; at += 1) {
    const digit = (digits[order[at]!]! >>> shift) & (radix - 1);
    sorted[starts[digit]!++] = order[at]!;
  }
}

/** The positions of `groups`, lowest group first; within a group they keep their order. Groups are numbered without large gaps. */
export function grouped(groups: Uint32Array): Uint32Array {
  let largest = 0;
  for (let at = 0; at < groups.length; at += 1) largest = Math.max(largest, groups[at]!);
  const starts = new Uint32Array(largest + 2);
  for (let at = 0; at < groups.length; at += 1) starts[groups[at]! + 1]! += 1;
  sumUp(starts);
  const order = new Uint32Array(groups.length);
  for (let at = 0; at < groups.length; at += 1) order[starts[groups[at]!]!++] = at;
  return order;
}

function sumUp(counts: Uint32Array): void {
  for (let at = 1; at < counts.length; at += 1) counts[at]! += counts[at - 1]!;
}
