// Numbers and times as people read them.

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `1536` → `1.5 KiB`. */
export function formatBytes(bytes: number | undefined): string {
  if (bytes === undefined) return '';
  const power = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${UNITS[power]}`;
}

/** `2026-11-21T02:00:00.123Z` → `2026-11-21 02:00:00Z`: UTC, as everywhere. */
export function formatTime(iso: string): string {
  return `${iso.slice(0, 10)} ${iso.slice(11, 19)}Z`;
}

/** Between two ISO times: `45s`, `3m05s`, `2h07m`; empty while there is no end. */
export function formatDuration(startedAt: string, endedAt: string | undefined): string {
  if (!endedAt) return '';
  return formatSeconds(Math.max(0, Math.round((Date.parse(endedAt) - Date.parse(startedAt)) / 1000)));
}

/** `45s`, `3m05s`, `2h07m`. */
export function formatSeconds(seconds: number): string {
  const padded = (value: number) => String(value).padStart(2, '0');
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${padded(seconds % 60)}s`;
  return `${Math.floor(seconds / 3600)}h${padded(Math.floor((seconds % 3600) / 60))}m`;
}
