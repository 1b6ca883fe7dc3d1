import { chromium, type Browser } from 'playwright-core';
import { findChromium } from '../../scripts/system-tools';

/**
 * Starts Chromium or Chrome without a screen, with an empty profile of its own, which goes with it. It can reach this machine and nothing
 * else: neither the browser nor a page gets anything from outside.
 *
 * @param folder - An existing folder for what it would else leave in the home folder
 * @throws Error that says how to get a browser
 */
export async function launchBrowser(folder: string): Promise<Browser> {
  const executablePath = await findChromium();
  if (executablePath === null) throw new Error('No browser: install Chromium or Chrome (Debian: apt-get install chromium), or set CHROMIUM_PATH to one. scripts/test goes without and says so.');
  const args = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
  args.push('--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1');
  return chromium.launch({ executablePath, args, env: { ...process.env, BREAKPAD_DUMP_LOCATION: folder } });
}
