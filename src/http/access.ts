import { OffloadError } from '../job/errors.ts'
import { checkId, isUnguessable } from '../job/id.ts'
import type { FindQuery } from '../ledger.ts'
import type { JobView } from '../reading/view.ts'
import type { Ask } from './ask.ts'
import type { LinkMaker, Purpose } from './links.ts'

/** Who may see what. A hook may throw a `Response` to answer with it, such as a 401. */
export interface AccessOptions {
  /** Whether this request may see and cancel this job; refused, it reads as unknown. @default who holds an unguessable id may */
  readonly authorize?: (request: Request, job: JobView) => boolean | Promise<boolean>
  /** Whose request this is: it sees, lists and accepts jobs of this tenant alone. @default all jobs are nobody's */
  readonly tenant?: (request: Request) => string | undefined | Promise<string | undefined>
  /** Which jobs this request may list: false for none, and a scope with a member that is undefined too. @default nobody may list */
  readonly list?: (request: Request) => boolean | ListScope | Promise<boolean | ListScope>
}

export interface ListScope {
  readonly queue?: string
  readonly task?: string
  /** `null` for those of all tenants. @default that of the request, where there is a `tenant` hook */
  readonly tenant?: string | null
}

interface JobReader {
  get(id: string): Promise<JobView | undefined>
}

/** Lets through who may, and answers everybody else as if there were no such job. */
export class Access {
  readonly #jobs: JobReader
  readonly #options: AccessOptions
  readonly #links: LinkMaker

  constructor(jobs: JobReader, options: AccessOptions, links: LinkMaker) {
    this.#jobs = jobs
    this.#options = options
    this.#links = links
  }

  /** The job, for who may see it. @throws JOB_NOT_FOUND, JOB_GONE, LINK_INVALID */
  async job(ask: Ask, rawId: string, purpose: Purpose): Promise<JobView> {
    const id = usableId(rawId)
    const isSigned = this.#links.isSignedFor(id, purpose, ask.query)
    if (!isSigned && this.#links.areSigned && this.#options.authorize === undefined)
      throw new OffloadError(
        'LINK_INVALID',
        'jobs are reached here by the signed links that their answers tell',
      )
    const job = this.#isReachable(id, isSigned) ? await this.#jobs.get(id) : undefined
    if (job === undefined || !(isSigned || (await this.#mayHave(ask, job)))) throw unknown(id)
    return job
  }

  /**
   * Whether this request may be told how a job stands that was accepted before: somebody else may have chosen this id, or this
   * key. @throws ID_TAKEN, IDEMPOTENCY_MISMATCH when the job is not this client's
   */
  async seesAgain(ask: Ask, id: string, tenant: string | undefined, by: 'id' | 'key'): Promise<boolean> {
    const { authorize } = this.#options
    if (authorize === undefined) return tenant !== undefined || this.#links.areSigned || isUnguessable(id)
    const job = await this.#jobs.get(id)
    if (job === undefined || (await authorize(ask.request, job))) return true
    throw by === 'id'
      ? new OffloadError('ID_TAKEN', 'somebody else has a job with this id')
      : new OffloadError('IDEMPOTENCY_MISMATCH', 'somebody else has used this idempotency key')
  }

  /** Whose request this is. `headers.get()` answers null for nobody. */
  async tenant(ask: Ask): Promise<string | undefined> {
    return (await this.#options.tenant?.(ask.request)) ?? undefined
  }

  /** Whether requests are told apart at all. */
  get hasTenants(): boolean {
    return this.#options.tenant !== undefined
  }

  /** Whether there is a list at all. */
  get lists(): boolean {
    return this.#options.list !== undefined
  }

  /** What this request may list. @throws FORBIDDEN */
  async scope(ask: Ask): Promise<Pick<FindQuery, 'tenant' | 'queue' | 'task'>> {
    const { list } = this.#options
    const allowed: unknown = await list?.(ask.request)
    const scope = allowed === true ? {} : allowed
    if (!isScope(scope)) throw forbidden('this request may not list jobs')
    const { tenant: of = await this.tenant(ask), ...narrowed } = scope
    if (of === undefined && this.hasTenants)
      throw forbidden('this request is of no tenant, so it may not list jobs')
    return { ...narrowed, ...(of === undefined || of === null ? {} : { tenant: of }) }
  }

  /** An id that can be guessed is for those whom a hook or a signature lets in. */
  #isReachable(id: string, isSigned: boolean): boolean {
    const { authorize, tenant } = this.#options
    if (isSigned || authorize !== undefined) return true
    return tenant !== undefined || isUnguessable(id)
  }

  async #mayHave(ask: Ask, job: JobView): Promise<boolean> {
    const { authorize, tenant } = this.#options
    const own = await this.tenant(ask)
    if (tenant !== undefined && own !== job.tenant) return false
    if (authorize !== undefined) return authorize(ask.request, job)
    return own !== undefined || isUnguessable(job.id)
  }
}

/** A hook that looked for whose jobs may be listed and found nobody means none, not all. */
function isScope(allowed: unknown): allowed is ListScope {
  if (typeof allowed !== 'object' || allowed === null) return false
  return !Object.values(allowed).includes(undefined)
}

function forbidden(message: string): OffloadError {
  return new OffloadError('FORBIDDEN', message)
}

function usableId(raw: string): string {
  try {
    return checkId(decodeURIComponent(raw))
  } catch {
    throw unknown('')
  }
}

/** The same for a job that is not remembered and for one that is not this client's: it tells only what the id tells. */
function unknown(id: string): OffloadError {
  return isUnguessable(id)
    ? new OffloadError('JOB_GONE', 'this job is no longer remembered')
    : new OffloadError(
        'JOB_NOT_FOUND',
        'no job with this id can be seen here (one whose id was chosen is shown where `authorize` or `tenant` says to whom)',
      )
}
