import { ProxyTracerProvider, trace } from '@opentelemetry/api'

/** What a provider of the API delegates to before an SDK is registered. */
const nobody = new ProxyTracerProvider().getDelegate()
/** An SDK that came with another copy of the API is found at every so many looks: those cost more. */
const EVERY = 256

/** Whether an SDK was registered: asked for each job, so it must cost next to nothing. */
export class ProviderWatch {
  readonly #first = trace.getTracerProvider()
  #looks = 0

  get isThere(): boolean {
    return isSdk(this.#first) || (this.#looks++ % EVERY === 0 && isSdk(trace.getTracerProvider()))
  }
}

function isSdk(provider: unknown): boolean {
  return !(provider instanceof ProxyTracerProvider) || provider.getDelegate() !== nobody
}
