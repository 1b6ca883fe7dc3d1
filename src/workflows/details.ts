/** Two columns of Markdown, as the web UI shows under a workflow's details. */
export const table = (rows: [name: string, value: string][]): string => ['| | |', '|---|---|', ...rows.map(([name, value]) => `| ${name} | ${value.replace(/[|\n\r]+/g, ' ')} |`)].join('\n');
