// Each test level is a jest project, so that `npm run test:unit` and the like select one by name.
const transform = {
  '^.+\\.ts$': [
    '@swc/jest',
    { swcrc: false, jsc: { parser: { syntax: 'typescript' }, target: 'es2022' }, module: { type: 'commonjs' } },
  ],
};
const level = (displayName, testMatch, testPathIgnorePatterns = []) => ({
  displayName,
  testEnvironment: 'node',
  transform,
  // Dynamic imports of the sources name the file that a build makes.
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  testMatch,
  testPathIgnorePatterns,
});
module.exports = {
  // A test that hangs ends some time; one on a machine that others use as well is not hurried.
  testTimeout: 300_000,
  // A process that held the SDK's native part takes longer than half a second to end beside others; one that leaks never does.
  workerGracefulExitTimeout: 15_000,
  testSequencer: '<rootDir>/test/longest-first.js',
  projects: [
    level('unit', ['<rootDir>/test/**/*.test.ts'], ['<rootDir>/test/(workflows|replay|e2e)/']),
    level('workflow', ['<rootDir>/test/workflows/**/*.test.ts']),
    level('replay', ['<rootDir>/test/replay/**/*.test.ts']),
    level('e2e', ['<rootDir>/test/e2e/**/*.test.ts']),
  ],
};
