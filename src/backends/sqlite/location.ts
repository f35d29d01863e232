import { resolve } from 'node:path'
import { OffloadError } from '../../job/errors.ts'

/**
 * The file that a location names and whether accepting waits for an fsync: `path`, or `path?synchronous=normal`.
 * @throws URL_UNKNOWN
 */
export function locate(location: string): { file: string; synced: boolean } {
  if (location === '' || location.includes('\0'))
    throw new OffloadError('URL_UNKNOWN', 'sqlite: needs the path of a file, e.g. sqlite:offload.db')
  const [path = '', query] = location.split('?', 2)
  const parameters = new URLSearchParams(query)
  const synchronous = parameters.get('synchronous') ?? 'full'
  const others = [...parameters.keys()].filter((name) => name !== 'synchronous')
  if (path === '' || others.length > 0 || (synchronous !== 'full' && synchronous !== 'normal')) {
    throw new OffloadError(
      'URL_UNKNOWN',
      `sqlite:${location} cannot be read: it is sqlite:path, or sqlite:path?synchronous=normal to accept without an fsync`,
    )
  }
  return { file: path === ':memory:' ? path : resolve(path), synced: synchronous === 'full' }
}
