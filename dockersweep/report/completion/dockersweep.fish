# What explain takes: the names on the engine that the command line means.
function _dockersweep_names
  set -l given (commandline -opc)
  set -l engine
  for index in (seq (count $given))
    switch $given[$index]
      case -H --host -c --context --tlscacert --tlscert --tlskey
        set -l next (math $index + 1)
        set -a engine $given[$index..$next]
      case --tlsverify '--host=*' '--context=*' '--tlscacert=*' '--tlscert=*' '--tlskey=*'
        set -a engine $given[$index]
    end
  end
  dockersweep completion names $engine 2>/dev/null </dev/null
end
