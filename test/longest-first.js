const Sequencer = require('@jest/test-sequencer').default;

/** On a new machine jest knows no durations and goes by size: a small file that takes a minute would begin last, and the others be idle. */
const longest = ['e2e/crash', 'e2e/remote-faults', 'e2e/remote-hour', 'e2e/remote-storm', 'e2e/deploy', 'e2e/codec', 'e2e/webhook-attack', 'e2e/soak', 'replay/replay', 'e2e/workers', 'e2e/quickstart', 'e2e/fairness', 'e2e/batch', 'e2e/deadline', 'e2e/partial', 'e2e/cancel', 'e2e/webhooks', 'e2e/cli-run', 'e2e/secrets', 'e2e/cli-bad-input', 'e2e/schedule', 'activities/connection-faults', 'activities/archive/hostile-full', 'workflows/gate', 'workflows/window-property', 'workflows/batch', 'scripts/bench', 'pdf/corpus', 'archive/archive-files-scale', 'scripts/generate-documents'];

module.exports = class LongestFirst extends Sequencer {
  sort(tests) {
    const rank = ({ path }) => {
      const found = longest.findIndex((name) => path.endsWith(`/${name}.test.ts`));
      return found < 0 ? longest.length : found;
    };
    return super.sort(tests).sort((a, b) => rank(a) - rank(b));
  }
};
