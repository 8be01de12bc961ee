"""What `dockersweep --help` says; `tests/docs/test_man.py` holds it to the parser."""

PROGRAM = "dockersweep"
"""What people type before a verb, but in docker's command."""

_HELP = """\
usage: {program} [-H URL | -c CONTEXT] [--policy FILE] [--format FORMAT]
       {indent} [-o FILE] VERB ...

See what a Docker or Podman engine no longer needs, read why, remove just that.

verbs, in the order of use:
  scan          list unused objects, sizes, ages   {program} scan --sort age
  plan          what would be removed, kept, why   {program} plan --verbose
  sweep         plan, ask, then remove             {sweep} --dry-run
  apply         carry out a saved plan             {program} apply plan.json
  report        disk usage, trend, what to fix     {program} report
  explain       why an object is kept, until when  {program} explain app:1
  history       what earlier runs did              {program} history 12
  restore       take removals back                 {program} restore 12
  watch         sweep when space gets short        {program} watch
  swarm         a verb on every node of a swarm    {program} swarm --help
  archive       what can be taken back from there  {program} archive list
  fleet         many hosts, from saved documents   {program} fleet report DIR
  policy        write, check, show, test policies  {program} policy show
  schema        the JSON Schema of a document      {program} schema plan
  completion    for bash, zsh and fish             {program} completion bash
  docker-plugin add or remove the command `docker sweep`
  man           show the manual                    {program} man

flags of every verb:
  -H URL, --host URL   the engine: unix:///PATH, tcp://HOST:PORT or ssh://HOST
  -c CONTEXT, --context CONTEXT
                       the engine of a docker context, in place of -H
  --tlsverify, --tlscacert FILE, --tlscert FILE, --tlskey FILE
                       speak TLS on tcp://, with these files, as docker does
  --all-contexts, --fleet FILE
                       several hosts: those of docker's contexts, or of a file;
                       -H and -c given more than once are several, too
  --group GROUP, --only GLOB, --not GLOB
                       of several hosts those of a group, or so named, or not
  --policy FILE        the policy file; - is standard input, the word `default`
                       the default policy, whatever files there are
  --format FORMAT      table, json, csv, markdown, html, prometheus or parquet,
                       as far as the verb has it
  -o FILE, --output FILE
                       write to FILE, replaced in one step
  -h, --help           show this; behind a verb, its flags
  --version            show the version

Nothing is removed but by `sweep`, after a yes or with --yes, by `apply`, and
by `watch`.
`{program} VERB --help` shows the flags of a verb, `{program} man`
the rest, `{program} man dockersweep.toml` how to write a policy.
"""


def help_of(program: str) -> str:
    """Return the help, as people type it: "dockersweep plan", or "docker sweep plan", where the verb sweep is what
    happens without any."""
    sweep = f"{program} sweep" if program == PROGRAM else program
    return _HELP.format(program=program, sweep=sweep, indent=" " * len(program))
