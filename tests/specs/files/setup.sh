echo "made by $(id -un) in $(pwd)" > /opt/made
