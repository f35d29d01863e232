import type { ComponentChildren, JSX } from 'preact'
import { Fragment } from 'preact'
import { useEffect } from 'preact/hooks'
import type { Scaling } from '../../src/dashboard/shapes.ts'
import { get } from '../lib/api.ts'
import { to } from '../lib/route.ts'
import { useData } from '../lib/use-data.ts'
import { count } from '../lib/words.ts'
import { Table } from '../parts/table.tsx'
import { Time } from '../parts/time.tsx'
import { Trouble } from '../parts/trouble.tsx'

type Autoscaler = NonNullable<Scaling['autoscalers']>[number]

const EVERY_MS = 2000
const columns = [{ title: 'When' }, { title: 'Workers', align: 'right' }, { title: 'Why' }] as const

/** Every decision, with its reason. */
export function ScalingPage(): JSX.Element {
  const scaling = useData('scaling', (signal) => get<Scaling>('scaling', signal))
  const { reload, value } = scaling
  useEffect(() => {
    const timer = setInterval(() => document.hidden || reload(), EVERY_MS)
    return () => clearInterval(timer)
  }, [reload])
  return (
    <>
      <h1>Autoscaling</h1>
      <Trouble error={scaling.error} onRetry={reload} />
      {value?.autoscalers === null && (
        <div class="empty">This broker has no ledger, so no decision is remembered.</div>
      )}
      {value?.autoscalers?.length === 0 && (
        <div class="empty">
          No autoscaler runs. One starts and retires workers on this host:{' '}
          <code>offload work ./tasks.ts --max 8</code>
        </div>
      )}
      {value?.autoscalers?.map((one) => (
        <Decisions key={one.id} autoscaler={one} />
      ))}
    </>
  )
}

function Decisions({ autoscaler }: { autoscaler: Autoscaler }): JSX.Element {
  const { id, host, pid, queues, min, max, workers, seenAt, startedAt, decisions } = autoscaler
  return (
    <section aria-labelledby={`scaler-${id}`}>
      <h2 id={`scaler-${id}`}>
        {host}:{pid}
      </h2>
      <dl class="facts">
        <Fact name="Wants">{workers === undefined ? 'has not decided yet' : count(workers)}</Fact>
        <Fact name="Between">
          {min} and {max}
        </Fact>
        <Fact name="Queues">
          {queues.map((queue, nth) => (
            <Fragment key={queue}>
              {nth > 0 && ', '}
              <a href={to(['jobs'], { queue })}>{queue}</a>
            </Fragment>
          ))}
        </Fact>
        <Fact name="Since">
          <Time at={startedAt} />
        </Fact>
        <Fact name="Seen">
          <Time at={seenAt} />
        </Fact>
      </dl>
      <h3>Decisions</h3>
      <Table
        label={`Decisions of ${host}:${pid}`}
        columns={columns}
        isEmpty={decisions.length === 0}
        empty="Nothing was changed so far."
      >
        {decisions.map(({ at, from, to: wanted, reason, text }, nth) => (
          <tr key={`${at} ${nth}`}>
            <td>
              <Time at={at} />
            </td>
            <td class="right">{from === wanted ? `stays ${wanted}` : `${from} → ${wanted}`}</td>
            <td class="text">
              <span class="tag plain">{reason}</span> {text}
            </td>
          </tr>
        ))}
      </Table>
    </section>
  )
}

function Fact({ name, children }: { name: string; children: ComponentChildren }): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
