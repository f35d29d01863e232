import { OffloadError } from '../job/errors.ts'

/** What somebody may do here, one by one. `view`: see anything at all; `payload`: see what jobs carry, result in and log. */
export const dashboardActions = [
  'view',
  'payload',
  'enqueue',
  'cancel',
  'retry',
  'redrive',
  'purge',
  'pause',
  'resume',
  'schedule',
] as const

export type DashboardAction = (typeof dashboardActions)[number]

export interface DashboardOptions {
  /**
   * Whether this request may do this. It is asked at every request, for the files of the page, too. It may throw a `Response` to answer
   * with, such as a 401 or a way to a login. There is no default: a dashboard shows everything and can throw it away.
   */
  readonly authorize: (request: Request, action: DashboardAction) => boolean | Promise<boolean>
  /** The path below which the dashboard is found. @default '/offload' */
  readonly base?: string
  /** Nothing can be changed, whoever asks. @default false */
  readonly readOnly?: boolean
  /** Streams open at once in this process: one or two a page. @default 200 */
  readonly maxStreams?: number
}

export interface Settings {
  readonly base: string
  readonly readOnly: boolean
  readonly maxStreams: number
  readonly authorize: DashboardOptions['authorize']
}

/** @throws OPTION_INVALID */
export function settingsOf(options: DashboardOptions): Settings {
  const { authorize, base = '/offload', readOnly = false, maxStreams = 200 } = options ?? {}
  if (typeof authorize !== 'function')
    throw new OffloadError(
      'OPTION_INVALID',
      'dashboard() needs authorize: (request, action) => boolean, which says who may see and steer jobs: ask the session of your application',
    )
  if (!/^(?:\/[A-Za-z0-9._~-]+)+$/.test(base))
    throw new OffloadError(
      'OPTION_INVALID',
      "base takes a path such as '/offload', without a slash at the end",
    )
  if (!Number.isInteger(maxStreams) || maxStreams < 1)
    throw new OffloadError(
      'OPTION_INVALID',
      `maxStreams must be a whole number above 0, not ${String(maxStreams)}`,
    )
  return { authorize, base, readOnly: readOnly === true, maxStreams }
}
