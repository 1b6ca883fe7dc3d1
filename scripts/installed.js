// Exits with 0 when node_modules holds what package-lock.json asks for, whoever installed it.
// An interrupted install fails here too: npm writes its own list of what is there last.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

const root = join(__dirname, '..');
const packages = (file) => JSON.parse(readFileSync(join(root, file), 'utf8')).packages;

try {
  const there = packages('node_modules/.package-lock.json');
  const missing = Object.entries(packages('package-lock.json')).filter(([name, { version, optional, devOptional }]) => {
    if (name === '' || (!there[name] && (optional || devOptional))) return false;
    return there[name]?.version !== version;
  });
  process.exitCode = missing.length === 0 ? 0 : 1;
} catch {
  process.exitCode = 1;
}
