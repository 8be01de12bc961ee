"""The archive: what removals can be taken back from. Files only; it knows no engine.

    ARCHIVE/lock                               held by whoever begins a run, makes room or deletes
    ARCHIVE/verified.json                      what the last verification of each run found
    ARCHIVE/2026-12-01T093000Z-12/             one run, locked by whoever writes it, shared by whoever reads it
      index.json                               dockersweep.archive/1; without objects as long as the run is not finished
      volumes/NAME/     object.json, volume.json, data.tar.zst, manifest.zst, attributes.zst
      containers/NAME/  object.json, container.json, layer.tar.zst, log.jsonl.zst
      networks/NAME/    object.json, network.json
      images/           an OCI layout, which `docker load` takes too
      images/objects/HEX/  object.json; index.json, manifest.json and a list of blobs to put one image together

An object is written below a name that begins with `.partial-`, synced and renamed: then it exists. `index.json` is
written anew at the end; of a run that was killed, the `object.json` files say what is there.
"""
