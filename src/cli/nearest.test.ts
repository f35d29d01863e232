import { expect, test } from 'vitest'
import { didYouMean, nearest } from './nearest.ts'

test('a slip of the fingers finds the word that was meant', () => {
  const words = ['jobs', 'job', 'watch', 'depth', 'enqueue', 'resume']
  expect(nearest('jbos', words)).toBe('jobs')
  expect(nearest('wach', words)).toBe('watch')
  expect(nearest('enqeueu', words)).toBe('enqueue')
  expect(nearest('jo', words)).toBe('job')
})

test('a word that is near to nothing finds nothing', () => {
  expect(nearest('xyzzy', ['jobs', 'watch'])).toBeUndefined()
  expect(nearest('', ['jobs'])).toBeUndefined()
  expect(didYouMean('xyzzy', ['jobs'])).toBe('')
  expect(didYouMean('jbos', ['jobs'])).toBe('; did you mean "jobs"?')
})
