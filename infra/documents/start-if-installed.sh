# A failure ends the document with success (onFailure: successAndExit): it says that the action was started. Where it was
# not, for whatever reason, the next steps install the bundle and say what is wrong.
if [ -d "$bundle" ] && (start_action); then
  exit 1
fi
exit 0
