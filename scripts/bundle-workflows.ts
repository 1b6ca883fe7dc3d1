import { rename, stat, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { bundleWorkflowCode, DefaultLogger } from '@temporalio/worker';
import { runScript } from './entry';
import { bundledLicences } from './supply-chain/bundled-licences';

/** Above this the bundle holds something that workflows should not load: zod as a value alone adds 1 MB. */
const maxBundleBytes = 1.2 * 1024 * 1024;

const lib = resolve(__dirname, '../lib');

/**
 * Bundles lib/workflows as production workers load them: for encrypted batches with the converter that encodes failures, which workflows
 * make themselves, and without it.
 */
async function main(): Promise<void> {
  await write('workflow-bundle-encrypted', await bundle({ failureConverterPath: resolve(lib, 'codec/failure-converter.js') }));
  const code = await bundle();
  await writeFile(resolve(lib, 'workflow-bundle.LICENCES.txt'), await bundledLicences(code, resolve(__dirname, '..')));
  // The last file of a build: its time says when the build was whole.
  await write('workflow-bundle', code);
}

/**
 * Webpack's production mode shakes out what is unused; the code stays readable, and its inline source map must stay. The map leaves
 * the sources' text out: stack traces need names and lines, and half the bundle would be comments.
 */
async function bundle(options: Pick<Parameters<typeof bundleWorkflowCode>[0], 'failureConverterPath'> = {}): Promise<string> {
  const { code } = await bundleWorkflowCode({
    ...options,
    workflowsPath: resolve(lib, 'workflows/index.js'),
    logger: new DefaultLogger('WARN'),
    webpackConfigHook: (config) => ({
      ...config,
      mode: 'production',
      devtool: 'inline-nosources-source-map',
      optimization: { ...config.optimization, minimize: false, concatenateModules: false },
    }),
  });
  return code;
}

/** It must not appear in parts. */
async function write(name: string, code: string): Promise<void> {
  const file = resolve(lib, `${name}.js`);
  await writeFile(`${file}.tmp`, code);
  await rename(`${file}.tmp`, file);
  const { size } = await stat(file);
  if (size > maxBundleBytes) throw new Error(`lib/${name}.js has ${size} bytes, more than ${Math.floor(maxBundleBytes)}: look at what src/workflows imports`);
  console.log(`lib/${name}.js: ${size} bytes`);
}

runScript(main);
