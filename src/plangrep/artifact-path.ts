import type { Artifact } from './schemas';

/**
 * The path under which an artifact is fetched, decoded: its own `path` as it stands, else the `path` in its URL's query,
 * decoded once. `getArtifact` encodes it once again. Null when the entry has neither. /api-reference/artifacts/get-job-artifact
 */
export function artifactPath(artifact: Pick<Artifact, 'path' | 'url'>): string | null {
  if (artifact.path) return artifact.path;
  const url = artifact.url ?? '';
  // Only the query counts, so a relative URL may stand on any base.
  return (URL.canParse(url, 'http://localhost') && new URL(url, 'http://localhost').searchParams.get('path')) || null;
}
