package supervise

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

const helpCommands = `  start        run in the foreground, or as a daemon with -d (the default command)
  stop         drain the workers and end; -g: without a deadline
  restart      stop, then run the program file anew; start if nothing runs
  reload       replace the workers by the program file as it is now
  upgrade      replace the master too, in place, then reload
  scale        NAME=N: change the number of workers
  reopen-logs  open the log file again, after a rotation
  status       --json, --watch
  connections  --json, --program NAME, --sort COLUMN
  top          status, again and again
  logs         the last lines of the log; -f: and those that come
  check        say whether this command line would start, and what to change
  version      print the version
  help         this text
  completion   bash, zsh or fish: a script for the shell
`

// help prints the commands and flags.
func help(o *Options, c *config, w io.Writer) error {
	fmt.Fprintf(w, "usage: %s [COMMAND] [FLAGS]\n\ncommands\n%s", c.prog, helpCommands)
	for _, extra := range o.Commands {
		fmt.Fprintf(w, "  %-12s %s\n", extra.Name, extra.Usage)
	}
	fmt.Fprintf(w, "\nflags (each also reads JAY_NAME, for example JAY_RUN_DIR)\n")
	fs, err := c.flagSet(o, &flagValues{})
	if err != nil {
		return err
	}
	fs.VisitAll(func(f *flag.Flag) {
		if strings.HasPrefix(f.Name, "test.") {
			return
		}
		value, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(w, "  %-24s %s\n", strings.TrimSpace(dashes(f.Name)+" "+value), usage)
	})
	fmt.Fprintf(w, "\nprograms\n")
	for _, s := range c.specs() {
		fmt.Fprintf(w, "  %-12s %s\n", s.Name, strings.Join(s.Listen, " "))
	}
	return nil
}

// completion prints a completion script for a shell.
func completion(o *Options, c *config, w io.Writer) error {
	words := commands()
	for _, extra := range o.Commands {
		words = append(words, extra.Name)
	}
	fs, err := c.flagSet(o, &flagValues{})
	if err != nil {
		return err
	}
	fs.VisitAll(func(f *flag.Flag) {
		if !strings.HasPrefix(f.Name, "test.") {
			words = append(words, dashes(f.Name))
		}
	})
	shell := "bash"
	if len(c.args) > 0 {
		shell = c.args[0]
	}
	list := strings.Join(words, " ")
	switch shell {
	case "bash":
		fmt.Fprintf(w, "complete -W %q %s\n", list, c.prog)
	case "zsh":
		fmt.Fprintf(w, "#compdef %s\ncompdef '_arguments \"*: :(%s)\"' %s\n", c.prog, list, c.prog)
	case "fish":
		fmt.Fprintf(w, "complete -c %s -f -a %q\n", c.prog, list)
	default:
		return usagef("completion %s: write bash, zsh or fish", shell)
	}
	return nil
}
