"""The shared libraries in Lambda's own image, as data. Whatever else a package needs must travel with it.

Sources:

- Amazon Linux 2023 (python3.12 and later). The runtimes come from AL2023's minimal container image. Its packages:
  Amazon Linux 2023 User Guide, 'Comparing packages installed on Amazon Linux 2023 Container Images'. What is in
  Lambda's image itself: ``rpm -qa`` of ``public.ecr.aws/lambda/python:3.12``, in
  github.com/amazonlinux/amazon-linux-2023, issue 585, and the packages of
  ``public.ecr.aws/lambda/nodejs:20``, in github.com/aws/aws-lambda-base-images, issue 173.
- Amazon Linux 2 (python3.10, python3.11). The base container image's packages: github.com/docker-library/
  official-images, pull requests 4782 and 6833.

Only what those packages' own files are named counts. Left out on purpose: what the package manager alone brings and no
extension links against (librpm, libdnf, libsolv, libmagic ...), and what a later image could drop without notice.
The two architectures differ in the loader's name only.
"""

from __future__ import annotations

from auto_lambda.runtimes import Runtime


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_LOADERS = frozenset({"ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"})

_BOTH = _LOADERS | _names("""
    libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 librt.so.1 libutil.so.1 libresolv.so.2 libanl.so.1
    libthread_db.so.1 libmvec.so.1 libBrokenLocale.so.1 libnss_files.so.2 libnss_dns.so.2
    libgcc_s.so.1 libstdc++.so.6
    libz.so.1 libbz2.so.1 liblzma.so.5 libcurl.so.4 libxml2.so.2 libsqlite3.so.0
    libglib-2.0.so.0 libgobject-2.0.so.0 libgio-2.0.so.0 libgmodule-2.0.so.0 libgthread-2.0.so.0
    libgssapi_krb5.so.2 libkrb5.so.3 libk5crypto.so.3 libkrb5support.so.0 libcom_err.so.2 libkeyutils.so.1
    libgmp.so.10 libgpgme.so.11 libassuan.so.0 libgpg-error.so.0 libnghttp2.so.14 libidn2.so.0 libtasn1.so.6
    libp11-kit.so.0 libpopt.so.0 libverto.so.1 libacl.so.1 libattr.so.1 libcap.so.2 libselinux.so.1
    libuuid.so.1 libblkid.so.1 libmount.so.1 libtinfo.so.6 libncurses.so.6 libncursesw.so.6
""")

_AL2023 = _names("""
    libcrypt.so.2 libssl.so.3 libcrypto.so.3 libffi.so.8 libgcrypt.so.20 libunistring.so.2 libpsl.so.5 libpcre2-8.so.0
    libzstd.so.1 liblz4.so.1 libyaml-0.so.2 libjson-c.so.5 libarchive.so.13 libreadline.so.8
    libhistory.so.8 libsmartcols.so.1 libsepol.so.2 libmpfr.so.6 libsigsegv.so.2 libaudit.so.1 libcap-ng.so.0
    libnpth.so.0 liblua-5.4.so
""")

_AL2 = _names("""
    libcrypt.so.1 libnsl.so.1 libssl.so.10 libcrypto.so.10 libffi.so.6 libgcrypt.so.11 libunistring.so.0 libpcre.so.1
    libexpat.so.1 libelf.so.1 libgdbm.so.4 libdb-5.3.so libssh2.so.1 libldap-2.4.so.2 liblber-2.4.so.2
    libreadline.so.6 libhistory.so.6 libsepol.so.1 libnspr4.so libplc4.so libplds4.so libnss3.so libnssutil3.so
    libsmime3.so libssl3.so libmetalink.so.3 libpth.so.20 liblua-5.1.so
""")


def libraries(runtime: Runtime) -> frozenset[str]:
    """Return the file names of all libraries that a function finds on Lambda, its interpreter's included."""
    system = _AL2 if runtime.system == "Amazon Linux 2" else _AL2023
    return _BOTH | system | {f"libpython{runtime.minor}.so.1.0", "libpython3.so"}
