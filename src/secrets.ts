const NAMES = /^(.*(pass|pwd|secret|token|key|sig|credential).*)$/i

/** The password of `scheme://user:password@host`; it may hold what should have been encoded. */
const PASSWORD = /([a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s]*@/gi
const PARAMETER = /([?&;])([^=&\s;]+)=([^&\s;"']+)/g

/** The text with the secrets of every URL in it masked. */
export function hideSecrets(text: string): string {
  return text
    .replace(PASSWORD, '$1:***@')
    .replace(PARAMETER, (all, mark: string, name: string) => (NAMES.test(name) ? `${mark}${name}=***` : all))
}
