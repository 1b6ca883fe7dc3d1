import { matchProject, unknownProject } from '../activities/project';
import { environment, readConfig, secretKeyAdvice, type Config } from '../config';
import { connectTemporal, readTemporalSettings } from '../temporal-connection';
import { dataConverterOf } from '../codec/data-converter';
import { checkEncryption, checkScheduleKeys, checkSecretFiles } from './doctor-keys';
import { checkArchive as checkFolder } from './doctor-archive';
import { checkFairness, checkSearchAttributes, checkWorkers } from './doctor-temporal';
import { checkWebhook } from './doctor-webhook';
import { exitCodes } from './exit-codes';
import { toCliError } from './failure';
import type { Output } from './output';
import { readProjects } from './project-check';
import { commandConfig } from './session';
import { counted } from './text';

/** One thing that was looked at. */
export interface Check {
  name: string;
  ok: boolean;
  message: string;
  /** What to do; null when there is nothing to do. */
  fix: string | null;
}

/** A check with the exit code that its failure stands for. */
type Finding = Check & { exitCode?: number };

/** `doctor`: looks at everything a batch needs, and says what to do. */
export async function doctor(flags: { fix?: boolean; archive?: string }, output: Output): Promise<number> {
  const config = await attempt('configuration', async () => commandConfig([], flags));
  const findings: Finding[] = [];
  if ('ok' in config) findings.push(config);
  else findings.push(checkEncryption(config), ...(await checkSecretFiles(config)));
  const [temporal, plangrep, archive, webhook] = await Promise.all([
    checkTemporal('ok' in config ? null : config, flags.fix === true),
    'ok' in config ? [] : checkPlangrep(config),
    'ok' in config ? [] : checkArchive(config, flags.fix === true),
    'ok' in config ? null : attempt('webhook', () => checkWebhook(config)),
  ]);
  findings.push(...temporal, ...plangrep, ...archive, ...(webhook ? [webhook] : []));
  const failed = findings.filter(({ ok }) => !ok);
  const checks = findings.map(({ name, ok, message, fix }) => ({ name, ok, message, fix }));
  const lines = checks.map(({ name, ok, message, fix }) => `${ok ? 'ok     ' : 'PROBLEM'}  ${name}: ${message}${fix === null ? '' : `\n         → ${fix}`}`);
  output.answer({ ok: failed.length === 0, checks }, lines.join('\n'));
  if (failed.length === 0) return exitCodes.ok;
  return failed.some(({ exitCode }) => exitCode === exitCodes.unreachable) ? exitCodes.unreachable : exitCodes.usage;
}

/** The value, or the error as a failed check. */
async function attempt<T extends object>(name: string, work: () => Promise<T>): Promise<T | Finding> {
  try {
    return await work();
  } catch (error) {
    const { message, fix, exitCode } = toCliError(error);
    return { name, ok: false, message, fix, exitCode };
  }
}

async function checkTemporal(config: Config | null, fix: boolean): Promise<Finding[]> {
  const connection = await attempt('temporal', () => connectTemporal(readTemporalSettings(environment(), config?.webUiUrl ?? null), config ? { dataConverter: dataConverterOf(config.payloadKeys) } : {}));
  if ('ok' in connection) return [connection];
  const { address, namespace } = connection.settings;
  try {
    return [
      { name: 'temporal', ok: true, message: `${address} answers, namespace ${namespace}`, fix: null },
      await attempt('search attributes', () => checkSearchAttributes(connection, fix)),
      checkFairness(connection),
      await attempt('workers', () => checkWorkers(connection)),
      ...(config ? [await attempt('schedules', () => checkScheduleKeys(connection.client, config))].flat() : []),
    ];
  } finally {
    await connection.close();
  }
}

async function checkPlangrep(config: Config): Promise<Finding[]> {
  const projects = await attempt('key', async () => {
    readConfig(environment(), ['plangrep']);
    return readProjects(config);
  });
  if ('ok' in projects) return [projects];
  const key = { name: 'key', ok: true, message: `${config.plangrep.baseUrl} accepts it; ${counted(projects.length, 'project')}`, fix: null };
  if (config.project === null) return [key, { name: 'project', ok: true, message: 'PLANGREP_PROJECT is not set: every command must name one', fix: null }];
  const project = matchProject(projects, config.project);
  if (!project) return [key, { name: 'project', ok: false, message: unknownProject(projects, config.project), fix: 'Set PLANGREP_PROJECT to one that exists.' }];
  const ready = project.status === 'ready';
  return [key, { name: 'project', ok: ready, message: `"${config.project}" is ${project.status}`, fix: ready ? null : 'Jobs wait until it is ready: look at it in Plangrep.' }];
}

async function checkArchive(config: Config, fix: boolean): Promise<Finding[]> {
  const secret: Finding =
    config.secretKey === null
      ? { name: 'secret key', ok: false, message: 'PLANGREP_SECRET_KEY is not set', fix: secretKeyAdvice }
      : { name: 'secret key', ok: true, message: `is set${config.oldSecretKeys.length > 0 ? `, with ${counted(config.oldSecretKeys.length, 'earlier key')}` : ''}`, fix: null };
  return [secret, ...(await checkFolder(config, fix, attempt))];
}
