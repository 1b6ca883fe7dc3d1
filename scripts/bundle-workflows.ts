import { rename, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { bundledLicences } from './supply-chain/bundled-licences';

/** Above this the bundle holds something that workflows should not load: zod as a value alone adds 1 MB. */
const maxBundleBytes = 1.2 * 1024 * 1024;

/**
 * Bundles lib/workflows into lib/workflow-bundle.js, as production workers load it.
 * Webpack's production mode shakes out what is unused; the code stays readable, and its inline source map must stay. The map leaves
 * the sources' text out: stack traces need names and lines, and half the bundle would be comments.
 */
async function main(): Promise<void> {
  const lib = resolve(__dirname, '../lib');
  const { code } = await bundleWorkflowCode({
    workflowsPath: resolve(lib, 'workflows/index.js'),
    logger: new DefaultLogger('WARN'),
    webpackConfigHook: (config) => ({
      ...config,
      mode: 'production',
      devtool: 'inline-nosources-source-map',
      optimization: { ...config.optimization, minimize: false, concatenateModules: false },
    }),
  });
  const file = resolve(lib, 'workflow-bundle.js');
  await writeFile(resolve(lib, 'workflow-bundle.LICENCES.txt'), await bundledLicences(code, resolve(__dirname, '..')));
  // Its time says when the build was whole, so it must not appear in parts.
  await writeFile(`${file}.tmp`, code);
  await rename(`${file}.tmp`, file);
  const { size } = await stat(file);
  if (size > maxBundleBytes) throw new Error(`The workflow bundle has ${size} bytes, more than ${Math.floor(maxBundleBytes)}: look at what src/workflows imports`);
  console.log(`lib/workflow-bundle.js: ${size} bytes`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
});
