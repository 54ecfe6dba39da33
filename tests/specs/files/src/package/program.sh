#!/bin/sh
echo "the program ran"
