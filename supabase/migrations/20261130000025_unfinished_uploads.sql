-- A file that came while nobody said so is read after an hour: until then its form may still be in use. One that never came is
-- refused as missing, and its object, if any, goes.

drop policy sweep_waiting on public.knowledge_files;
create policy sweep_waiting on public.knowledge_files for select to portero_sweep
  using (state in ('awaited', 'waiting') and (select private.called_by_server()));
drop index public.knowledge_files_waiting;
create index knowledge_files_waiting on public.knowledge_files (created_at) where state in ('awaited', 'waiting');

-- As before, but that a file is claimed too which has been awaited for an hour.
create or replace function public.claim_file(p_tenant uuid, p_file uuid, p_seconds integer) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_file public.knowledge_files;
begin
  perform private.require_server();
  perform private.enter_tenant(p_tenant);
  select * into v_file from public.knowledge_files f where f.tenant_id = p_tenant and f.id = p_file for update;
  if not found then
    return jsonb_build_object('state', 'absent');
  end if;
  if v_file.state <> 'waiting' and (v_file.state <> 'awaited' or v_file.created_at > now() - interval '1 hour') then
    return jsonb_build_object('state', 'done');
  end if;
  if v_file.claimed_until > now() then
    return jsonb_build_object('state', 'busy');
  end if;
  update public.knowledge_files f set state = 'waiting', fence = f.fence + 1, attempts = f.attempts + 1,
    claimed_until = now() + make_interval(secs => least(greatest(p_seconds, 1), 900))
    where f.tenant_id = p_tenant and f.id = p_file returning * into v_file;
  return jsonb_build_object('state', 'claimed', 'fence', v_file.fence, 'attempts', v_file.attempts, 'name', v_file.name, 'media_type', v_file.media_type,
    'bytes', v_file.bytes, 'object_key', v_file.object_key, 'budget', private.budget_facts(p_tenant));
end $$;

-- As before, but that a row is kept until its object is looked for; what an hour has passed of takes nobody's place.
create or replace function public.offer_file(p_tenant uuid, p_name text, p_media_type text, p_bytes integer) returns jsonb
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_file uuid := gen_random_uuid();
  v_key text := p_tenant::text || '/' || v_file::text;
begin
  perform private.require_member(p_tenant);
  perform private.enter_tenant(p_tenant);
  if (select count(*) from public.knowledge_files f where f.tenant_id = p_tenant
      and (f.state = 'waiting' or f.state = 'awaited' and f.created_at > now() - interval '1 hour')) >= 20 then
    return jsonb_build_object('refused', 'too_many');
  end if;
  insert into public.knowledge_files (id, tenant_id, name, media_type, bytes, object_key, state)
    values (v_file, p_tenant, p_name, p_media_type, p_bytes, v_key, 'awaited');
  return jsonb_build_object('file', v_file, 'object_key', v_key);
end $$;

do $$
declare
  v_sweep text := pg_get_functiondef('public.sweep(integer)'::regprocedure);
  v_before constant text := 'where f.state = ''waiting'' and f.created_at < now() - make_interval(secs => p_seconds)';
begin
  assert strpos(v_sweep, v_before) > 0;
  execute replace(v_sweep, v_before, 'where f.created_at < now() - case f.state
            when ''waiting'' then make_interval(secs => p_seconds) when ''awaited'' then interval ''1 hour'' end');
end $$;
