import { join } from 'node:path'

/** Where a queue of a measurement is: `{path}`, `{port}` and `{name}` of its url are filled in. */
export function placeOf({ url, folder, port, checked, settings }, name) {
  const path = join(folder, `${name}.db`)
  const filled = url?.replace('{path}', path).replace('{port}', port).replace('{name}', name)
  return { name, path, port, checked, settings, url: filled }
}
