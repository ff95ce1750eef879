// What most files here include, to be compiled once. toolchain.py makes every file include it first.
#pragma once
#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <unordered_map>

#include "access.h"
#include "compute.h"
#include "cubin.h"
#include "doubts.h"
#include "listing.h"
