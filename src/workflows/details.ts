/** Two columns of Markdown, as the web UI shows under a workflow's details; it leaves no room between them, so the names bring some. */
export const table = (rows: [name: string, value: string][]): string => ['| | |', '|---|---|', ...rows.map(([name, value]) => `| ${name}\u00a0 | ${value.replace(/[|\n\r]+/g, ' ')} |`)].join('\n');
