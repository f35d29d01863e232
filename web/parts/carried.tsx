import type { JSX } from 'preact'
import type { Carried } from '../../src/dashboard/shapes.ts'
import { bytes } from '../lib/words.ts'
import { Time } from './time.tsx'
import { Tree } from './tree.tsx'

export function CarriedParts({
  carried,
  progress,
  path,
}: {
  carried: Carried
  progress: unknown
  path: string
}): JSX.Element {
  const { payload, result, content, log } = carried
  const last = progress ?? carried.progress
  return (
    <>
      <Part title="Payload" value={payload} />
      {last !== undefined && <Part title="Progress" value={last} />}
      {result !== undefined && <Part title="Result" value={result} />}
      {content !== undefined && (
        <section>
          <h2>Result</h2>
          <p>
            <a href={`api/${path}/result`} download={content.filename ?? 'result'}>
              {content.filename ?? 'Download'}
            </a>{' '}
            <span class="faint">
              {content.type}, {bytes(content.bytes)}
            </span>
          </p>
        </section>
      )}
      {log.length > 0 && (
        <section>
          <h2>Log</h2>
          <ol class="log">
            {log.map(({ at, message }, nth) => (
              <li key={`${at} ${nth}`}>
                <Time at={at} /> {message}
              </li>
            ))}
          </ol>
        </section>
      )}
    </>
  )
}

function Part({ title, value }: { title: string; value: unknown }): JSX.Element {
  return (
    <section>
      <h2>{title}</h2>
      <Tree value={value} label={title.toLowerCase()} />
    </section>
  )
}
