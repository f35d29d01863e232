export type { Alert, AlertRule } from './alert.ts'
export { type AlertSource, type Alerts, alerts, type Watch } from './alerts.ts'
export type { AlertOptions } from './options.ts'
