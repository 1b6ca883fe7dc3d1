import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errors, type Browser, type Locator, type Page } from 'playwright-core';

/** Temporal's web UI as somebody with a mouse and a keyboard uses it; elements are found by what they are called, not by how they look. */
export class WebUi {
  private constructor(
    private readonly page: Page,
    private readonly address: string,
    private readonly pictures: string | null,
  ) {}

  /** A window on the web UI at this address; pictures of it go to a folder, or nowhere. */
  static async open(browser: Browser, address: string, pictures: string | null): Promise<WebUi> {
    const page = await browser.newPage({ viewport: { width: 1366, height: 768 }, colorScheme: 'light', reducedMotion: 'reduce', timezoneId: 'UTC' });
    // A busy machine loads the UI slowly: what this bounds is a page that never comes.
    page.setDefaultTimeout(120_000);
    if (pictures !== null) await mkdir(pictures, { recursive: true });
    return new WebUi(page, address, pictures);
  }

  /** The list of all workflows. */
  async openList(): Promise<void> {
    await this.page.goto(`${this.address}/namespaces/default/workflows`, { waitUntil: 'commit' });
    await this.page.getByRole('table', { name: 'Workflows' }).waitFor();
  }

  /** Changes the columns of the list, as the UI then keeps them. */
  async chooseColumns({ add, remove }: { add: string[]; remove: string[] }): Promise<void> {
    await this.page.getByRole('button', { name: 'Configure Columns' }).click();
    for (const name of remove) await this.page.getByRole('button', { name: `Remove ${name} column` }).click();
    for (const name of add) await this.page.getByRole('button', { name: `Add ${name} column` }).click();
    await this.page.getByRole('button', { name: 'Close Workflows Table configuration' }).click();
  }

  /** Filters the list by a search attribute, which must be one that the UI offers. */
  async filter(attribute: string, value: string): Promise<void> {
    await this.page.getByRole('button', { name: 'Add Filter' }).click();
    await this.page.getByRole('menuitem', { name: attribute }).click();
    await this.page.getByLabel('Value', { exact: true }).fill(value);
    await this.page.getByRole('button', { name: 'Apply', exact: true }).click();
    await this.page.getByRole('button', { name: `${attribute} = "${value}"` }).waitFor();
  }

  /** A workflow's line in the list. */
  row(workflowId: string): Locator {
    return this.page.getByRole('row').filter({ has: this.link(workflowId) });
  }

  /** Waits until the page shows this text. */
  async seeText(text: string): Promise<void> {
    await this.page.getByText(text).first().waitFor();
  }

  /** Refreshes the list, which does not do it by itself, until it shows this. */
  async refreshUntilSeen(seen: Locator): Promise<void> {
    for (;;) {
      await this.page.getByRole('button', { name: 'Refresh', exact: true }).click();
      try {
        return await seen.waitFor({ timeout: 1_000 });
      } catch (error) {
        if (!(error instanceof errors.TimeoutError)) throw error;
      }
    }
  }

  /** Opens a workflow from the list. */
  async openWorkflow(workflowId: string): Promise<void> {
    await this.link(workflowId).click();
    await this.page.getByRole('heading', { level: 1, name: workflowId }).waitFor();
  }

  private link(workflowId: string): Locator {
    return this.page.getByRole('link', { name: workflowId, exact: true });
  }

  /** Loads the open workflow's page anew and waits until it shows this status; by itself it looks every ten seconds. */
  async refreshStatus(status: string): Promise<void> {
    await this.page.reload({ waitUntil: 'commit' });
    await this.page.getByRole('main').getByRole('status').filter({ hasText: status }).waitFor();
  }

  /** Opens one of the open workflow's tabs. */
  async openTab(name: string): Promise<void> {
    const tab = this.page.getByRole('tab', { name });
    await tab.click();
    await tab.and(this.page.getByRole('tab', { selected: true })).waitFor();
  }

  /** The current details of the open workflow, as lines `name: value`; the UI asks the worker, and draws the Markdown in a frame. */
  async currentDetails(): Promise<Record<string, string>> {
    await this.openTab('User Metadata');
    await this.page.getByRole('heading', { name: 'Current Details' }).waitFor();
    const rows = this.page.locator('#user-metadata-current-details').contentFrame().getByRole('row');
    const named = rows.filter({ has: this.page.getByRole('cell') });
    await named.first().waitFor();
    return Object.fromEntries(await named.evaluateAll((all) => all.map((row) => [...row.querySelectorAll('td')].map((cell) => cell.innerText.trim()) as [string, string])));
  }

  /** Asks the open workflow a query of this name, without an argument. */
  async query(name: string): Promise<unknown> {
    await this.openTab('Queries');
    const answer = this.page.waitForResponse((response) => response.url().includes(`/query/${name}`) && response.ok());
    await this.page.getByRole('button', { name: 'Run Query' }).click();
    await answer;
    return JSON.parse(await this.page.getByRole('textbox', { name: 'Query Result' }).innerText()) as unknown;
  }

  /** Fills in the dialog for an update without an argument. */
  async chooseUpdate(name: string): Promise<void> {
    await this.page.getByRole('button', { name: 'More Actions' }).click();
    await this.page.getByRole('menuitem', { name: 'Send an Update' }).click();
    await this.dialog.getByRole('button', { name: 'Select an Update' }).click();
    await this.page.getByRole('option', { name, exact: true }).click();
    await this.dialog.getByRole('button', { name, exact: true }).waitFor();
  }

  /** Sends the chosen update; the UI says that it was accepted and answered. */
  async sendUpdate(): Promise<void> {
    await this.dialog.getByRole('button', { name: 'Submit' }).click();
    await this.page.getByText('Update successful').first().waitFor();
  }

  private get dialog(): Locator {
    return this.page.getByRole('dialog', { name: 'Send an Update' });
  }

  /** A picture of the window, if pictures are wanted. */
  async picture(name: string): Promise<void> {
    if (this.pictures === null) return;
    await this.page.mouse.move(660, 740);
    await this.page.screenshot({ path: join(this.pictures, `${name}.png`), animations: 'disabled', caret: 'hide' });
  }
}
