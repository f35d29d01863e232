import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { scripts } from '../src/backends/redis/scripts/index.ts'

const root = join(import.meta.dirname, '..')
const page = readFileSync(join(root, 'docs/backends/redis.md'), 'utf8')

/** Those that the client sends by itself: to log in, to look whether the server is ready, and to listen. */
const OF_THE_CLIENT = ['auth', 'hello', 'select', 'client', 'info', 'ping', 'subscribe', 'eval', 'evalsha']

function commandsSent(): Set<string> {
  const fromScripts = Object.values(scripts).flatMap(({ text }) => [
    ...text.matchAll(/redis\.call\('([A-Z]+)'/g),
  ])
  const sources = globSync('src/backends/redis/*.ts', { cwd: root }).map((path) =>
    readFileSync(join(root, path), 'utf8'),
  )
  const fromSources = sources.flatMap((text) => [...text.matchAll(/(?:command|call)\(\s*'([A-Z]+)'/g)])
  const found = [...fromScripts, ...fromSources].map(([, name = '']) => name.toLowerCase())
  return new Set([...found, ...OF_THE_CLIENT])
}

test('the narrow rights of the page are just the commands that are sent', () => {
  const [line = ''] = /^user app .* -@all [^`]*/m.exec(page) ?? []
  const granted = [...line.matchAll(/\+([a-z]+)/g)].map(([, name = '']) => name)
  expect([...granted, 'wait', 'waitaof', 'cluster'].sort()).toEqual([...commandsSent()].sort())
})
