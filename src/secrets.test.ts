import { expect, test } from 'vitest'
import { hideSecrets } from './secrets.ts'

test('passwords and secret parameters of a URL are masked wherever it stands', () => {
  expect(hideSecrets('cannot reach redis://:hunter2@host:6379/0, tried twice')).toBe(
    'cannot reach redis://:***@host:6379/0, tried twice',
  )
  expect(hideSecrets('amqps://me:p@ss/w?rd@host/v')).toBe('amqps://me:***@host/v')
  expect(hideSecrets('kafka://host?sasl_password=x&group=a&apiKey=b;token=c')).toBe(
    'kafka://host?sasl_password=***&group=a&apiKey=***;token=***',
  )
})

test('what is no secret stays', () => {
  for (const text of ['sqlite:jobs.db?synchronous=normal', 'redis://host:6379', 'mail me@example.com: why?'])
    expect(hideSecrets(text)).toBe(text)
})
