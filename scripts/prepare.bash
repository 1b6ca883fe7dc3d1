# Sourced by scripts/quickstart and scripts/test, in the project's folder: what has to be there before Node can do the rest.

fail() {
  printf 'error: %s\n' "$1" >&2
  exit 1
}

# Runs a step with its output in a log, which is shown only when the step fails.
quietly() {
  local title=$1 log=$2 started=$SECONDS
  shift 2
  mkdir -p .cache
  printf '%s ...' "$title"
  if "$@" >"$log" 2>&1 </dev/null; then
    printf ' %d s\n' $((SECONDS - started))
  else
    printf ' failed\n'
    cat "$log" >&2
    fail "\"$*\" failed; what it said is above and in $log"
  fi
}

need_node() {
  local version
  command -v node >/dev/null || fail 'Node 20.19 or later is needed and "node" is not on PATH. Get it from https://nodejs.org or your package manager.'
  command -v npm >/dev/null || fail 'npm is needed and "npm" is not on PATH. It comes with Node: https://nodejs.org'
  version=$(node --version)
  node -e 'const [major, minor] = process.versions.node.split(".").map(Number); process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' ||
    fail "Node 20.19 or later is needed; $(command -v node) is $version. Get a newer one from https://nodejs.org or your package manager."
}

# Development packages are needed whatever NODE_ENV says.
install_packages() {
  node scripts/installed.js || quietly 'Installing packages' .cache/install.log npm ci --include=dev --no-audit --no-fund --loglevel=error
}

build_when_changed() {
  local inputs='src package-lock.json tsconfig.json tsconfig.build.json scripts/bundle-workflows.ts'
  # The bundle is what a build writes last. A file that was removed shows in its folder's time.
  # shellcheck disable=SC2086
  if [ ! -f lib/workflow-bundle.js ] || [ -n "$(find $inputs -newer lib/workflow-bundle.js -print -quit)" ]; then
    quietly 'Building' .cache/build.log npm run --silent build
  fi
}
