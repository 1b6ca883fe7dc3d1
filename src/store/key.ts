/** A key that names no object, or tries to leave the store. A mistake of the caller. */
export class InvalidKeyError extends Error {
  override readonly name = 'InvalidKeyError';
  constructor(
    readonly key: string,
    problem: string,
  ) {
    super(`${JSON.stringify(key)} is no key of the archive: ${problem}`);
  }
}

/**
 * The parts of a key.
 * @throws InvalidKeyError when it is empty or absolute, or has an empty part, `.`, `..` or a NUL character
 */
export function keyParts(key: string): string[] {
  if (key === '') throw new InvalidKeyError(key, 'it is empty');
  if (key.includes('\0')) throw new InvalidKeyError(key, 'it has a NUL character');
  // A lone surrogate would turn into another name on disk.
  if (/\p{Surrogate}/u.test(key)) throw new InvalidKeyError(key, 'it is not well-formed Unicode');
  if (key.startsWith('/')) throw new InvalidKeyError(key, 'it is absolute');
  const parts = key.split('/');
  if (parts.includes('')) throw new InvalidKeyError(key, 'it has an empty part');
  if (parts.some((part) => part === '.' || part === '..')) throw new InvalidKeyError(key, 'it has a part "." or ".."');
  return parts;
}
