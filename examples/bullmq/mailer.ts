/** Stands for the mail provider. */
export async function sendMail(
  to: string,
  subject: string,
  { signal }: { signal: AbortSignal },
): Promise<string> {
  signal.throwIfAborted()
  return `${subject} went to ${to}`
}

export function isKnown(to: string): boolean {
  return to.startsWith('ada@') || to.startsWith('ops@')
}
