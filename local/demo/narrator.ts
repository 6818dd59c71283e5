// What the demo prints: stages with the time since its start, and lines below them.
import { processTerminal, type Terminal } from '../../cli/terminal.ts';

export interface Narrator {
  stage(title: string): void;
  line(text: string): void;
  /** Several lines, indented. */
  text(block: string): void;
  problem(text: string): void;
  terminal: Terminal;
}

export function narrator(): Narrator {
  const startedAt = performance.now();
  let stages = 0;
  const terminal = processTerminal();
  const write = (text: string) => terminal.print(text);
  return {
    stage(title) {
      stages++;
      const seconds = Math.round((performance.now() - startedAt) / 1000);
      write(
        `\n── ${stages}. ${title} ── ${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`,
      );
    },
    line: (text) => write(`   ${text}`),
    text: (block) => write(block.replaceAll(/^(?=.)/gm, '   ')),
    problem: (text) => terminal.note(`\n${text}`),
    // Its notes are the progress lines of runs; bars are drawn where stderr is a terminal.
    terminal: { ...terminal, note: (text) => terminal.note(`   ${text}`) },
  };
}
