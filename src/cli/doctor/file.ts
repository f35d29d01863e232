import { randomBytes } from 'node:crypto'
import { constants } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { access, open, stat, statfs, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Finding } from './finding.ts'
import { ok, warn, wrong } from './finding.ts'

const MB = 1024 * 1024
/** A checkpoint and a busy hour need about so much. */
const LEAST_FREE = 64 * MB
const LITTLE_FREE = 1024 * MB
const PROBE_BYTES = 4096
const SLOW_FSYNC_MS = 100
const SKEW_MS = 2000

/** What can be said of the file of a queue and its folder without opening it. Leaves nothing behind. */
export async function fileFindings(file: string): Promise<Finding[]> {
  const folder = dirname(file)
  const place = await folderFinding(folder)
  if (place.state === 'wrong') return [place]
  return [
    place,
    await permissionFinding(file),
    await diskFinding(folder),
    await fileSystemFinding(folder),
    ...(await probe(folder)),
  ]
}

async function folderFinding(folder: string): Promise<Finding> {
  try {
    if (!(await stat(folder)).isDirectory())
      return wrong('folder', `${folder} is no folder`, 'correct the url')
    await access(folder, constants.R_OK | constants.W_OK | constants.X_OK)
    return ok('folder', folder)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT')
      return wrong('folder', `${folder} does not exist`, `mkdir -p ${folder}, or correct the url`)
    return wrong(
      'folder',
      `${folder} cannot be written by this user`,
      'give this user the right to write there',
    )
  }
}

/** SQLite also writes `-wal` and `-shm` beside the file. */
async function permissionFinding(file: string): Promise<Finding> {
  let shown: string | undefined
  for (const path of [file, `${file}-wal`, `${file}-shm`]) {
    try {
      const { mode } = await stat(path)
      await access(path, constants.R_OK | constants.W_OK)
      if ((mode & 0o002) !== 0)
        return warn('permissions', `${path} can be written by everybody`, `chmod o-w ${path}`)
      shown ??= `${(mode & 0o777).toString(8)}${(mode & 0o004) === 0 ? '' : ', everybody on this host may read the payloads'}`
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
      return wrong(
        'permissions',
        `${path} cannot be read and written by this user`,
        'run every process of the queue as one user, or chown the three files',
      )
    }
  }
  return ok('permissions', shown ?? 'the file is made at the first use')
}

async function diskFinding(folder: string): Promise<Finding> {
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  const found = `${Math.floor(free / MB)} MB free`
  if (free < LEAST_FREE) return wrong('disk', found, 'free some: jobs are refused when there is none left')
  return free < LITTLE_FREE
    ? warn('disk', found, 'free some before the queue has to refuse jobs')
    : ok('disk', found)
}

/** Magic numbers of statfs(2). */
const NETWORK: Readonly<Record<number, string>> = {
  26985: 'NFS',
  4283649346: 'CIFS',
  4266872130: 'SMB',
  16914839: '9p',
}
const TMPFS = 0x01021994

async function fileSystemFinding(folder: string): Promise<Finding> {
  const { type } = await statfs(folder)
  const network = process.platform === 'linux' ? NETWORK[type >>> 0] : undefined
  if (network !== undefined)
    return wrong(
      'file system',
      `the file lies on ${network}`,
      'put it on a disk of this host: SQLite shares memory between processes, which no network file system can',
    )
  if (process.platform === 'linux' && type === TMPFS)
    return warn(
      'file system',
      'the file lies in memory (tmpfs)',
      'put it on a disk if jobs must outlive a restart',
    )
  return ok('file system', 'local')
}

/** Writes and fsyncs a file beside the queue's, and takes it away again. */
async function probe(folder: string): Promise<Finding[]> {
  const path = join(folder, `.offload-doctor-${randomBytes(6).toString('hex')}`)
  let handle: FileHandle | undefined
  try {
    handle = await open(path, 'wx', 0o600)
    const begun = performance.now()
    await handle.write(randomBytes(PROBE_BYTES))
    await handle.sync()
    const ms = performance.now() - begun
    const { mtimeMs } = await handle.stat()
    return [fsyncFinding(ms), skewFinding(mtimeMs - Date.now())]
  } catch (error) {
    return [
      wrong(
        'fsync',
        `a file beside the queue's could not be written: ${(error as Error).message}`,
        'check disk and rights',
      ),
    ]
  } finally {
    await handle?.close()
    await unlink(path).catch(() => undefined)
  }
}

function fsyncFinding(ms: number): Finding {
  const found = `${ms.toFixed(1)} ms`
  return ms > SLOW_FSYNC_MS
    ? warn('fsync', found, 'every accepted batch waits so long: a faster disk, or ?synchronous=normal')
    : ok('fsync', found)
}

function skewFinding(skewMs: number): Finding {
  if (Math.abs(skewMs) <= SKEW_MS) return ok('file times', 'agree with the clock')
  return warn(
    'file times',
    `they are ${Math.round(skewMs)} ms off the clock of this host`,
    'set both clocks (NTP): the file lies on another host, or the clock was moved',
  )
}
