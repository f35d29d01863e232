import { join } from 'node:path'

/** Where a queue of a measurement is: `{path}`, `{port}` and `{name}` of its url and of its ledger are filled in. */
export function placeOf({ url, folder, port, pid, checked, settings }, name) {
  const path = join(folder, `${name}.db`)
  const fill = (text) => text?.replace('{path}', path).replace('{port}', port).replace('{name}', name)
  const ledger = fill(settings?.ledger)
  return {
    name,
    path,
    port,
    pid,
    checked,
    settings: ledger === undefined ? settings : { ...settings, ledger },
    url: fill(url),
  }
}
