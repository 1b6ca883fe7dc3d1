import fc from 'fast-check';
import { artifactPath } from '../../src/plangrep/artifact-path';

test.each([
  [{ url: 'https://plangrep.com/api/open/v1/jobs/job_demo1/artifact?path=r%2Fa1.png' }, 'r/a1.png'],
  [{ url: '/api/open/v1/jobs/job_demo1/artifact?x=1&path=r%2Fa1.png' }, 'r/a1.png'],
  [{ url: '?path=a+b%20c%2Bd' }, 'a b c+d'],
  [{ url: 'https://h/?path=a%252Fb' }, 'a%2Fb'],
  [{ path: 'r%2Fa1.png', url: 'https://h/?path=other' }, 'r%2Fa1.png'],
  [{ path: '', url: 'https://h/?path=a' }, 'a'],
  [{ path: null, url: 'https://h/none' }, null],
  [{ url: 'https://h/?path=' }, null],
  [{ url: 'http://' }, null],
  [{ url: null }, null],
  [{}, null],
])('%j', (artifact, path) => {
  expect(artifactPath(artifact)).toBe(path);
});

test('a path that was encoded once comes back as it was, in either way of encoding', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'grapheme' }), (path) => {
      expect(artifactPath({ url: `https://h/artifact?path=${encodeURIComponent(path)}` })).toBe(path);
      expect(artifactPath({ url: `https://h/artifact?${new URLSearchParams({ path }).toString()}` })).toBe(path);
    }),
  );
});
