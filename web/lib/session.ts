import { createContext } from 'preact'
import { useContext } from 'preact/hooks'
import type { DashboardAction } from '../../src/dashboard/options.ts'
import type { About } from '../../src/dashboard/shapes.ts'

export const Session = createContext<About>({ version: '', readOnly: true, may: [] })

/** Whether a button for it is shown. The server asks again. */
export function useMay(): (action: DashboardAction) => boolean {
  const { may } = useContext(Session)
  return (action) => may.includes(action)
}
