/** What one check found, and what to do about it. Only `wrong` makes the doctor fail. */
export interface Finding {
  readonly check: string
  readonly state: 'ok' | 'warn' | 'wrong'
  readonly found: string
  readonly todo?: string
}

export const ok = (check: string, found: string): Finding => ({ check, state: 'ok', found })

export const warn = (check: string, found: string, todo: string): Finding => ({
  check,
  state: 'warn',
  found,
  todo,
})

export const wrong = (check: string, found: string, todo: string): Finding => ({
  check,
  state: 'wrong',
  found,
  todo,
})
