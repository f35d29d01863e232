import type { JSX } from 'preact'
import { useState } from 'preact/hooks'
import type { TaskRow } from '../../src/dashboard/shapes.ts'
import { messageOf } from '../lib/act.ts'
import { ApiError, get, post } from '../lib/api.ts'
import { fieldsOf } from '../lib/fields.ts'
import { notify } from '../lib/notices.ts'
import type { Route } from '../lib/route.ts'
import { go, to } from '../lib/route.ts'
import { useMay } from '../lib/session.ts'
import { useData } from '../lib/use-data.ts'
import type { Entered } from '../parts/field.tsx'
import { Field, inputOf } from '../parts/field.tsx'
import { Trouble } from '../parts/trouble.tsx'

export function EnqueuePage({ route }: { route: Route }): JSX.Element {
  const may = useMay()
  const tasks = useData('tasks', (signal) => get<{ tasks: readonly TaskRow[] }>('tasks', signal))
  const chosen =
    tasks.value?.tasks.find(({ name }) => name === route.query.get('task')) ?? tasks.value?.tasks[0]
  return (
    <>
      <h1>Enqueue</h1>
      <Trouble error={tasks.error} onRetry={tasks.reload} />
      {!may('enqueue') && <div class="empty">You may not queue jobs from here.</div>}
      {may('enqueue') && tasks.value?.tasks.length === 0 && (
        <div class="empty">
          No task is known here: give the application's own queue to the dashboard, or name the module of its
          tasks to <code>offload dashboard ./tasks.ts</code>.
        </div>
      )}
      {may('enqueue') && chosen !== undefined && (
        <>
          <div class="bar">
            <label>
              Task
              <select
                value={chosen.name}
                onChange={({ currentTarget }) => go(['enqueue'], { task: currentTarget.value })}
              >
                {tasks.value?.tasks.map(({ name }) => (
                  <option key={name} value={name}>
                    {name}
                  </option>
                ))}
              </select>
            </label>
            <span class="faint">goes to queue {chosen.queue}</span>
          </div>
          <InputForm key={chosen.name} task={chosen} />
        </>
      )}
    </>
  )
}

/** A form made from the schema of the task, or its input as JSON. */
function InputForm({ task }: { task: TaskRow }): JSX.Element {
  const fields = fieldsOf(task.schema)
  const [isJson, setJson] = useState(fields === undefined)
  const [entered, setEntered] = useState<Entered>({})
  const [text, setText] = useState(
    task.schema?.type === 'object' || task.schema === undefined ? '{}' : 'null',
  )
  const [more, setMore] = useState({ priority: '', key: '', delay: '' })
  const [error, setError] = useState<unknown>()
  const [isBusy, setBusy] = useState(false)
  const faults = error instanceof ApiError ? error.faults : []
  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault()
    setBusy(true)
    setError(undefined)
    try {
      const input: unknown = isJson || fields === undefined ? parsed(text) : inputOf(fields, entered)
      const { id, duplicate } = await post<{ id: string; duplicate: boolean }>('jobs', {
        task: task.name,
        input,
        ...(more.priority === '' ? {} : { priority: Number(more.priority) }),
        ...(more.key === '' ? {} : { key: more.key }),
        ...(more.delay === '' ? {} : { delayMs: Number(more.delay) * 1000 }),
      })
      notify(duplicate ? 'It was queued before.' : 'It is queued.', {
        action: {
          label: 'Look',
          run: () => {
            location.hash = to(['jobs', id])
          },
        },
      })
    } catch (failure) {
      setError(failure)
    } finally {
      setBusy(false)
    }
  }
  return (
    <form class="sheet" onSubmit={(event) => void submit(event)}>
      {fields !== undefined && (
        <label class="check">
          <input
            type="checkbox"
            checked={isJson}
            onChange={({ currentTarget }) => setJson(currentTarget.checked)}
          />
          Write the input as JSON
        </label>
      )}
      {isJson || fields === undefined ? (
        <label>
          Input, as JSON
          <textarea
            rows={12}
            spellcheck={false}
            value={text}
            onInput={({ currentTarget }) => setText(currentTarget.value)}
          />
        </label>
      ) : (
        fields.map((field) => (
          <Field
            key={field.name}
            field={field}
            value={entered[field.name] ?? ''}
            fault={
              faults.find(
                ({ path }) =>
                  path === field.name ||
                  path.startsWith(`${field.name}.`) ||
                  path.startsWith(`${field.name}[`),
              )?.detail
            }
            onChange={(value) => setEntered({ ...entered, [field.name]: value })}
          />
        ))
      )}
      <details>
        <summary>Priority, key, delay</summary>
        <div class="bar">
          <label>
            Priority (0 to 9)
            <input
              type="number"
              min="0"
              max="9"
              placeholder={String(task.priority)}
              value={more.priority}
              onInput={({ currentTarget }) => setMore({ ...more, priority: currentTarget.value })}
            />
          </label>
          <label>
            Key
            <input
              value={more.key}
              onInput={({ currentTarget }) => setMore({ ...more, key: currentTarget.value })}
            />
          </label>
          <label>
            Delay in seconds
            <input
              type="number"
              min="0"
              value={more.delay}
              onInput={({ currentTarget }) => setMore({ ...more, delay: currentTarget.value })}
            />
          </label>
        </div>
      </details>
      {error !== undefined && (
        <div class="trouble" role="alert">
          <p>{messageOf(error)}</p>
          {faults.length > 0 && (
            <ul>
              {faults.map(({ path, detail }) => (
                <li key={`${path} ${detail}`}>
                  <code>{path === '' ? 'input' : path}</code> {detail}
                </li>
              ))}
            </ul>
          )}
        </div>
      )}
      <div class="buttons">
        <button type="submit" class="first" disabled={isBusy}>
          Enqueue
        </button>
      </div>
    </form>
  )
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new ApiError(0, 'BODY_INVALID', `This is no JSON: ${(error as Error).message}`)
  }
}
