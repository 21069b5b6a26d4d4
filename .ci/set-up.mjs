// Installs the dependencies where that has not been done since the lock file last changed.
import { execSync } from 'node:child_process'
import { existsSync, statSync } from 'node:fs'

const installed = 'node_modules/.package-lock.json'
// Where node_modules was copied from another clone, only the packages that .ci/docs has of its own are missing.
const isWhole = existsSync(installed) && existsSync('.ci/docs/node_modules')
if (!isWhole || statSync(installed).mtimeMs < statSync('package-lock.json').mtimeMs) {
  console.log('Installing dependencies (npm ci) …')
  execSync('npm ci --no-audit --no-fund --loglevel=error', { stdio: 'inherit' })
}
