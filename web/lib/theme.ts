export type Theme = 'auto' | 'light' | 'dark'

const KEY = 'offload-theme'

export function storedTheme(): Theme {
  const value = stored()
  return value === 'light' || value === 'dark' ? value : 'auto'
}

/** `auto` follows the system. */
export function setTheme(theme: Theme): void {
  if (theme === 'auto') delete document.documentElement.dataset.theme
  else document.documentElement.dataset.theme = theme
  try {
    localStorage.setItem(KEY, theme)
  } catch {
    // A browser that keeps nothing asks again next time.
  }
  dispatchEvent(new Event('themechange'))
}

/** Calls when colours change; call the answer to stop. */
export function onTheme(listener: () => void): () => void {
  const system = matchMedia('(prefers-color-scheme: dark)')
  addEventListener('themechange', listener)
  system.addEventListener('change', listener)
  return () => {
    removeEventListener('themechange', listener)
    system.removeEventListener('change', listener)
  }
}

function stored(): string | null {
  try {
    return localStorage.getItem(KEY)
  } catch {
    return null
  }
}
