export type { FastifyDashboard, FastifyScope, HonoDashboard, NodeDashboard } from './adapters.ts'
export { type Dashboard, dashboard } from './dashboard.ts'
export type { DashboardAction, DashboardOptions } from './options.ts'
export type { DashboardSource } from './source.ts'
