import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** A package of the lock file. */
export interface LockedPackage {
  /** Folder below the project. */
  path: string;
  name: string;
  version: string;
  /** SPDX expression that the package states; null when it states none. */
  licence: string | null;
  /** Digest of its archive, as npm writes it. */
  integrity: string | null;
  /** Only for building and testing: users of the product do not install it. */
  dev: boolean;
  /** Has a script that would run at its installation. */
  installScript: boolean;
}

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z.object({
      name: z.string().optional(),
      version: z.string(),
      license: z.string().optional(),
      integrity: z.string().optional(),
      dev: z.boolean().optional(),
      devOptional: z.boolean().optional(),
      hasInstallScript: z.boolean().optional(),
    }),
  ),
});

/** Every package that an installation of this project may bring, by its lock file. @throws Error when that is none */
export async function lockedPackages(root: string): Promise<LockedPackage[]> {
  const { packages } = lockSchema.parse(JSON.parse(await readFile(join(root, 'package-lock.json'), 'utf8')));
  return Object.entries(packages).flatMap(([path, { name, version, license, integrity, dev, devOptional, hasInstallScript }]) =>
    path === ''
      ? []
      : [
          {
            path,
            name: name ?? path.split('node_modules/').at(-1)!,
            version,
            licence: license ?? null,
            integrity: integrity ?? null,
            dev: (dev || devOptional) ?? false,
            installScript: hasInstallScript ?? false,
          },
        ],
  );
}
