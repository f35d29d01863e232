import type { JSX } from 'preact'
import { ApiError } from '../lib/api.ts'
import type { FieldShape } from '../lib/fields.ts'

/** What was typed so far, by the names of the fields. */
export type Entered = Readonly<Record<string, string>>

/** The input that the form means: what is left empty is left out. */
export function inputOf(fields: readonly FieldShape[], entered: Entered): Record<string, unknown> {
  return Object.fromEntries(
    fields.flatMap((field) => {
      const text = entered[field.name] ?? field.initial
      if (text === '' && field.kind === 'boolean' && field.isRequired) return [[field.name, false]]
      return text === '' ? [] : [[field.name, readAs(field, text)]]
    }),
  )
}

function readAs({ name, kind }: FieldShape, text: string): unknown {
  // What is no number is refused by the schema, which says why.
  if (kind === 'number' || kind === 'integer') return Number.isFinite(Number(text)) ? Number(text) : text
  if (kind === 'boolean') return text === 'true'
  if (kind !== 'json') return text
  try {
    return JSON.parse(text)
  } catch (error) {
    const detail = `This is no JSON: ${(error as Error).message}`
    throw new ApiError(0, 'BODY_INVALID', 'A field cannot be read.', [{ path: name, detail }])
  }
}

export function Field({
  field,
  value,
  fault,
  onChange,
}: {
  field: FieldShape
  value: string
  fault: string | undefined
  onChange: (value: string) => void
}): JSX.Element {
  const id = `field-${field.name}`
  const notes = `${id}-notes`
  const described = field.help !== undefined || fault !== undefined ? notes : undefined
  return (
    <div class="field">
      <label for={id}>
        {field.label}
        {!field.isRequired && <span class="faint"> optional</span>}
      </label>
      <Input
        field={field}
        id={id}
        value={value}
        described={described}
        isWrong={fault !== undefined}
        onChange={onChange}
      />
      {described !== undefined && (
        <p id={notes} class={fault === undefined ? 'faint' : 'error'}>
          {fault ?? field.help}
        </p>
      )}
    </div>
  )
}

function Input({
  field: { kind, keys, choices, initial },
  id,
  value,
  described,
  isWrong,
  onChange,
}: {
  field: FieldShape
  id: string
  value: string
  described: string | undefined
  isWrong: boolean
  onChange: (value: string) => void
}): JSX.Element {
  const shared = { id, 'aria-describedby': described, 'aria-invalid': isWrong }
  if (kind === 'choice' || kind === 'boolean')
    return (
      <select
        {...shared}
        value={value === '' ? initial : value}
        onChange={({ currentTarget }) => onChange(currentTarget.value)}
      >
        <option value="" />
        {(kind === 'boolean' ? ['true', 'false'] : choices).map((choice) => (
          <option key={choice} value={choice}>
            {choice}
          </option>
        ))}
      </select>
    )
  if (kind === 'json')
    return (
      <textarea
        {...shared}
        rows={4}
        spellcheck={false}
        placeholder={initial || 'JSON'}
        value={value}
        onInput={({ currentTarget }) => onChange(currentTarget.value)}
      />
    )
  return (
    <input
      {...shared}
      inputMode={keys}
      autocomplete="off"
      spellcheck={false}
      placeholder={initial}
      value={value}
      onInput={({ currentTarget }) => onChange(currentTarget.value)}
    />
  )
}
